"""`kubectl zk`: an ensemble as the person on call wants to see and to handle it.

It talks to the Kubernetes API with that person's own rights, and changes nothing but custom
resources: the functions do the work, as they do for `kubectl apply`.
"""

"""The real Knative Eventing on the laptop, built from a checkout of its repository.

`python -m local up --eventing DIR` builds its programs, and this part takes the place of
`local.eventing`: it applies the checkout's own manifests and lets the host reach the ingress. The
pods run on the platform's nodes like any other, under their own ServiceAccounts.
"""

"""Small programs that run inside the pods of a cluster."""

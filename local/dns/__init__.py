"""The platform's DNS: the names of Services and of the pods behind headless ones."""

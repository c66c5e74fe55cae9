"""Knative Services for one laptop: each becomes a Deployment and a Service of the same name."""

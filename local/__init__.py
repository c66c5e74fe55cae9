"""Kubernetes and Knative for one laptop: the real control plane, pods as processes.

Nothing here knows the functions and nothing in `functions` knows this package. They meet
through the Kubernetes API, CloudEvents and YAML only.
"""

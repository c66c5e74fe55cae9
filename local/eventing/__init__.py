"""Knative Eventing's rules for one laptop: sources, brokers, triggers and their admission.

It reads the same YAML as the real thing through the API server, and what it sends, answers and
waits is held against recordings of the real thing (tests/recordings).
"""

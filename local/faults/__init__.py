"""Faults on purpose: `python -m local fault ...`, for tests and for people who want to see it.

What is broken is read off the platform itself (stopped processes, a link that is down, a file that
fills a disk), so there is no record that could be wrong, and nothing outlives the platform.
"""

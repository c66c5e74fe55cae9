"""A stand-in for Alibaba Cloud OSS: its requests, answers and both its signatures, on a folder."""

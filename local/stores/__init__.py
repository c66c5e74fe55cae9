"""The laptop's object stores: an S3 server (rclone) and a stand-in for Alibaba OSS."""

"""NetworkPolicies (networking.k8s.io/v1) on the laptop: what they mean, and how they are obeyed."""

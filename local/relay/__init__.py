"""What leads out of the platform's network and into it: host ports, and a proxy to the world."""

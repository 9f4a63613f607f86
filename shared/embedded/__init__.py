"""The default that needs nothing installed: PostgreSQL and a broker from wheels, under `var/`."""

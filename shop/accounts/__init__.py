"""People: users, how they log in, where parcels go."""

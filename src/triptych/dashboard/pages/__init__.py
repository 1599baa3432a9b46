"""The pages: each file holds the JSON twin of one page and how it is drawn from that twin alone."""

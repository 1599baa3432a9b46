"""Order books, joined: networks trained and judged, walls, spoofing, market impact, and pictures of them."""

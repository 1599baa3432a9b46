"""Order-book files of venues and vendors, one format a file."""

"""What both databases share: tables, statements, searches and changes, over SQLAlchemy Core."""

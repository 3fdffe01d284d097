"""What files hold, whatever the format means by it: text in blocks of lines, columns, records."""

"""Shape sets: many small labelled shapes of one category in one folder."""

"""Tables of any columns (CSV, Parquet, JSON lines, frames): what a company's log usually is."""

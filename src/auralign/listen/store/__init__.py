"""Tables and transactions: what is written here is on the disk before anybody is told so."""

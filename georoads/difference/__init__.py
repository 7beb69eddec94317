"""What differs between two road layers: new, missing and moved roads."""

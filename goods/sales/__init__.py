"""Flash sales: units of a SKU set apart, at a price of their own, for a stated time."""

"""WeChat Pay (API v3) as a payment provider: payments, refunds, notifications, bills."""

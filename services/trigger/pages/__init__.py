"""What a customer is sent: mails and webhooks."""

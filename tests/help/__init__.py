"""What tests share: ids of the seeded data, protocol eras, clocks, and ways to meet the server and the service."""

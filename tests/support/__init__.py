"""What tests stand on: servers, terminals, clocks. No test lives here."""

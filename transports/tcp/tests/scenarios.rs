//! The scenarios that every transport passes.

mod kind;

use kind::OverTcp;
use peer_exchange_scenarios::scenarios;

scenarios!(OverTcp);

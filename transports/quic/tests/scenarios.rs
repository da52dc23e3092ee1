//! The scenarios that every transport passes.

mod kind;

use kind::OverQuic;
use peer_exchange_scenarios::scenarios;

scenarios!(OverQuic);

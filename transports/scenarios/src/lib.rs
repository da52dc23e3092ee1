//! What every transport of peer-exchange has to pass: over real sockets on this machine, or in
//! memory, each bounded in time. A transport's tests name its [`Kind`] to [`scenarios!`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod addresses;
mod authority;
pub mod bench;
pub mod flood;
pub mod identity;
pub mod idle;
mod lab;
pub mod membership;
pub mod nodes;
pub mod paths;
mod plug;
pub mod rings;
pub mod versions;
pub mod volume;

pub use authority::Authority;
pub use lab::{Kind, Plan, Running, eventually, token, until};

/// One test for each scenario: all of them, or those `in_memory`, which need neither names nor
/// certificates nor the machine's IPv6.
#[macro_export]
macro_rules! scenarios {
    ($kind:ty: in_memory) => {
        $crate::scenarios! { $kind:
            nodes::two_nodes_learn_each_other,
            nodes::a_ring_of_three_converges_and_names_its_cycle,
            nodes::a_line_of_twelve_converges,
            nodes::a_node_that_connects_to_itself_says_so,
            nodes::a_restart_with_a_new_port_is_noticed,
            nodes::a_restart_on_the_same_port_works_at_once,
            nodes::an_upstream_that_restarts_is_up_again,
            nodes::shutdown_says_goodbye,
            nodes::leaving_is_told_to_everybody,
            nodes::a_crash_is_noticed,
            rings::a_cold_server_comes_back_to_a_warm_ring,
            rings::a_ring_restarts_from_its_snapshots,
            identity::two_nodes_of_one_key_say_so_and_disturb_nobody,
            versions::a_node_of_another_version_is_told_so_and_left_alone,
            versions::a_node_of_a_later_version_is_a_member_like_others,
            addresses::an_idle_link_closes_and_opens_again,
            volume::a_large_table_arrives_whole,
            membership::a_wrong_token_is_refused_and_told_nothing,
            membership::another_node_at_the_address_is_told_nothing,
            membership::the_insecure_mode_needs_nothing,
        }
    };
    ($kind:ty: $($module:ident::$scenario:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                $crate::$module::$scenario::<$kind>().await;
            }
        )*
    };
    ($kind:ty) => {
        $crate::scenarios! { $kind: in_memory }
        $crate::scenarios! { $kind:
            nodes::an_upstream_by_name_is_found,
            nodes::no_answer_is_a_failed_dial,
            paths::a_link_moves_from_a_blocked_way_to_an_open_one,
            paths::whoever_vanishes_is_down_and_comes_back,
            addresses::a_ring_over_ipv6_converges,
            addresses::a_node_of_both_families_joins_those_of_one,
            membership::members_of_one_authority_meet,
            membership::another_authority_is_refused,
            membership::a_certificate_out_of_its_time_is_refused,
            membership::a_revoked_certificate_is_refused,
            membership::a_token_does_not_open_an_authority,
        }
    };
}

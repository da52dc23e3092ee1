//! A link by itself: room, what waits for it, requests and their ends.

use super::*;
use crate::node::testing::{at, node};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn link_at(now: Instant) -> LinkState {
    let new = NewLink {
        node: node(1),
        remote: None,
        dialled: true,
        round_trip: None,
        over_cap: false,
        replaces: false,
    };
    LinkState::new(new, 1, now)
}

fn link() -> LinkState {
    link_at(at(0))
}

/// How many messages of this class find room, one after the other.
fn fill(link: &mut LinkState, class: Class) -> usize {
    let taken = (0..100).take_while(|_| link.take_room(class, at(0)));
    taken.count()
}

/// R9, R22: an answer never waits for what is pushed or asked.
#[test]
fn answers_have_room_when_requests_have_none_and_requests_when_pushes_have_none() {
    let mut link = link();
    assert_eq!(fill(&mut link, Class::Push), 4);
    assert_eq!(fill(&mut link, Class::Ask), 2);
    assert_eq!(fill(&mut link, Class::Push), 0);
    assert_eq!(fill(&mut link, Class::Answer), 2);
    assert_eq!(fill(&mut link, Class::Answer), 0);
}

/// R22.
#[test]
fn a_message_that_is_sent_makes_room_for_one() {
    let mut link = link();
    fill(&mut link, Class::Push);
    link.give_room();
    assert_eq!(fill(&mut link, Class::Push), 1);
}

/// A transport that reports more than it was given makes no room.
#[test]
fn room_that_nobody_took_is_not_given_back() {
    let mut link = link();
    for _ in 0..300 {
        link.give_room();
    }
    assert_eq!(fill(&mut link, Class::Answer), caps::IN_FLIGHT);
}

#[test]
fn only_what_is_sent_counts_as_use() {
    let mut link = link();
    assert_eq!(link.unused_for(at(7)), Duration::from_secs(7));
    assert!(link.take_room(Class::Push, at(7)));
    assert_eq!(link.unused_for(at(7)), Duration::ZERO);
    fill(&mut link, Class::Push);
    assert!(!link.take_room(Class::Push, at(9)));
    assert_eq!(link.unused_for(at(9)), Duration::from_secs(9));
}

/// R17.
#[test]
fn a_link_has_lasted_after_thirty_seconds() {
    let link = link_at(at(100));
    assert!(!link.has_lasted(at(130) - NANOSECOND));
    assert!(link.has_lasted(at(130)));
    assert_eq!(link.age(at(90)), Duration::ZERO);
}

#[test]
fn a_hello_says_the_epoch_and_what_the_other_end_does() {
    let hello = |features| Hello {
        min_version: 1,
        max_version: 1,
        features,
        epoch: 5,
        cluster: 0,
        seen: None,
    };
    let does = |link: &LinkState| (link.signs(), link.dials_back());
    let mut link = link();
    assert_eq!((link.epoch(), does(&link)), (None, (false, false)));
    link.greeted(&hello(wire::SIGNS));
    assert_eq!((link.epoch(), does(&link)), (Some(5), (true, true)));
    link.greeted(&hello(wire::NO_DIAL_BACKS | 1 << 31));
    assert_eq!(does(&link), (false, false));
}

/// R45: one answer long, and what is asked in the meantime is of that form too.
#[test]
fn a_request_is_of_its_form_until_it_is_answered() {
    let mut link = link();
    link.set_form(Form::Differs(Some(3)));
    link.asked(RequestId::new(1), None, at(1), at(9));
    assert_eq!(link.timed_out().map(|s| s.timeouts), Some(1), "it is lost");
    assert_eq!(link.form(), Form::Differs(Some(3)));
    link.asked(RequestId::new(2), None, at(2), at(9));
    assert!(link.answered(RequestId::new(2), at(3)).is_some());
    assert_eq!(link.form(), Form::Usual);
}

/// R42: what has gone over a link, either way, is not told over it again; the first few are known.
#[test]
fn the_first_records_that_go_over_a_link_are_known() {
    let mut link = link();
    let most = caps::TOLD_TO_ALL as u64;
    for hash in 0..most + 2 {
        link.note(hash);
        link.note(hash);
    }
    assert!((0..most).all(|hash| link.has_carried(hash)));
    assert!(!link.has_carried(most));
    link.forget_carried();
    assert!(!link.has_carried(0));
}

/// R40: it is sent once on each link.
#[test]
fn the_own_record_is_introduced_once() {
    let mut link = link();
    assert!(link.introduce() && !link.introduce());
}

/// R14.
#[test]
fn an_answer_ends_the_request_of_its_id_and_no_other() {
    let mut link = link();
    assert_eq!(link.answered(RequestId::new(0), at(1)), None);
    link.asked(RequestId::new(7), Some(Shows::All), at(10), at(14));
    assert_eq!(link.deadline(), Some(at(14)));
    assert_eq!(link.answered(RequestId::new(8), at(11)), None);
    assert!(!link.is_idle());
    let answered = Answered {
        shown: Some(Shows::All),
        deadline: at(14),
        round_trip: Duration::from_secs(2),
    };
    assert!(!link.has_exchanged());
    assert_eq!(link.answered(RequestId::new(7), at(12)), Some(answered));
    assert!(link.is_idle() && link.has_exchanged());
    assert_eq!(link.deadline(), None);
    assert_eq!(
        link.answered(RequestId::new(7), at(13)),
        None,
        "it is doubled"
    );
}

/// R17: the time-outs follow the mean.
#[test]
fn an_answer_moves_the_mean_round_trip_time_by_an_eighth() {
    let mut link = link();
    for (id, round_trip, mean) in [(1, 800, 800), (2, 1_600, 900)] {
        link.asked(RequestId::new(id), None, at(0), at(9));
        link.answered(RequestId::new(id), Instant::from_millis(round_trip))
            .unwrap();
        assert_eq!(link.round_trip(), Some(Duration::from_millis(mean)));
    }
}

/// R17: a link is given up for requests without an answer in a row, from the first of them on.
#[test]
fn silence_lasts_from_the_first_request_without_an_answer() {
    let mut link = link();
    assert_eq!(link.timed_out(), None);
    for n in 1..=3 {
        link.asked(
            RequestId::new(n),
            None,
            at(u64::from(10 * n)),
            at(u64::from(10 * n + 3)),
        );
        let silence = Silence {
            timeouts: n as u8,
            since: at(10),
        };
        assert_eq!(link.timed_out(), Some(silence));
        assert!(link.is_idle());
    }
    assert_eq!(link.timeouts(), 3);
}

/// R17: an answer, late or to something else, shows that the other end is there.
#[test]
fn whatever_is_heard_ends_the_silence() {
    let late: fn(&mut LinkState) = LinkState::heard;
    let in_time: fn(&mut LinkState) = |link| {
        link.asked(RequestId::new(2), None, at(20), at(23));
        link.answered(RequestId::new(2), at(21)).unwrap();
    };
    for hear in [late, in_time] {
        let mut link = link();
        link.asked(RequestId::new(1), None, at(10), at(13));
        link.timed_out().unwrap();
        hear(&mut link);
        assert_eq!(link.timeouts(), 0);
        link.asked(RequestId::new(3), None, at(30), at(33));
        let silence = Silence {
            timeouts: 1,
            since: at(30),
        };
        assert_eq!(link.timed_out(), Some(silence));
    }
}

/// R14: giving way to the other end's request is no failure of the other end.
#[test]
fn a_request_that_is_given_up_is_not_silence() {
    let mut link = link();
    assert_eq!(link.give_up(), None);
    link.asked(RequestId::new(1), None, at(10), at(13));
    assert_eq!(link.give_up(), Some(at(13)));
    assert!(link.is_idle() && link.take_recent(RequestId::new(1)));
    assert_eq!(link.timeouts(), 0);
}

/// R14: late and doubled answers are merged without blame.
#[test]
fn a_late_answer_is_expected_however_its_request_has_ended() {
    let mut link = link();
    assert!(!link.take_recent(RequestId::new(0)), "nothing was asked");
    for id in 1..=2 {
        link.asked(RequestId::new(id), None, at(0), at(3));
        assert!(!link.take_recent(RequestId::new(id)), "it is under way");
        match id {
            1 => drop(link.answered(RequestId::new(1), at(1))),
            _ => drop(link.timed_out()),
        }
        for _ in 0..LATE_ANSWERS {
            assert!(link.take_recent(RequestId::new(id)));
        }
        assert!(!link.take_recent(RequestId::new(id)), "it is enough");
        assert!(!link.take_recent(RequestId::new(0)), "it was not asked");
    }
}

/// R14, R22.
#[test]
fn so_many_finished_requests_are_remembered_and_no_more() {
    let mut link = link();
    let last = caps::RECENT_REQUESTS as u32 + 1;
    (1..=last).for_each(|id| link.finish(RequestId::new(id)));
    assert!(!link.take_recent(RequestId::new(1)));
    assert!((2..=last).all(|id| link.take_recent(RequestId::new(id))));
}

/// R14: if the other end asks for something else meanwhile, the request under way was lost.
#[test]
fn a_request_goes_before_one_that_crosses_it_but_not_before_a_second() {
    let mut link = link();
    assert!(!link.goes_before(RequestId::new(1)), "none is under way");
    link.asked(RequestId::new(9), None, at(0), at(3));
    assert!(link.goes_before(RequestId::new(1)));
    assert!(link.goes_before(RequestId::new(1)), "the same one, doubled");
    assert!(!link.goes_before(RequestId::new(2)));
    link.asked(RequestId::new(10), None, at(4), at(7));
    assert!(link.goes_before(RequestId::new(2)), "another exchange");
}

/// R46, R22: of several parts the furthest end counts, and each node is told of once.
#[test]
fn so_much_news_waits_for_room_and_no_more() {
    let mut link = link();
    let (at, near, far) = (Position::new(5), Position::new(9), Position::new(2));
    assert_eq!(link.take_news(), None);
    link.await_room((0..20).map(node).collect(), at, near);
    link.await_room((10..40).map(node).collect(), at, far);
    link.await_room((0..1).map(node).collect(), at, near);
    let waiting = caps::WAITING_NEWS as u32;
    let first: Vec<_> = (0..waiting).map(node).collect();
    assert_eq!(link.take_news(), Some((first, far)));
    assert_eq!(link.take_news(), None);
    link.await_room([node(1)].into(), at, near);
    assert_eq!(link.take_news(), Some(([node(1)].into(), near)), "anew");
}

#[test]
fn what_waits_goes_only_where_there_is_room() {
    let mut link = link();
    let place = Position::new(1);
    link.await_room([node(2)].into(), place, place);
    fill(&mut link, Class::Push);
    assert_eq!(link.take_news(), None);
    link.give_room();
    assert_eq!(link.take_news(), Some(([node(2)].into(), place)));
}

/// R18.
#[test]
fn the_other_end_waits_until_the_time_that_it_was_told_last() {
    let mut link = link();
    assert!(!link.must_wait(at(0)));
    link.told_to_wait(at(9));
    assert!(link.must_wait(at(9) - NANOSECOND));
    assert!(!link.must_wait(at(9)));
    link.told_to_wait(at(12));
    assert!(link.must_wait(at(9)));
}

use super::*;

fn subject(pull_request: &str, repository_id: Option<u64>) -> Subject {
    Subject::new("hello", &pull_request.parse().unwrap(), repository_id)
}

fn at(seconds: i64) -> Time {
    Time::from_second(seconds).unwrap()
}

fn target() -> CommitId {
    "a".repeat(40).parse().unwrap()
}

/// The memory of a repository with these references.
fn memory<'a>(references: impl IntoIterator<Item = &'a str>) -> Closings {
    let named = references
        .into_iter()
        .map(|name| (name.to_owned(), target()));
    Closings::read(&named.collect())
}

fn remembered(closes: &[(&Subject, i64)]) -> Closings {
    let names: Vec<String> = closes
        .iter()
        .map(|(subject, until)| subject.reference(at(*until)))
        .collect();
    memory(names.iter().map(String::as_str))
}

#[test]
fn a_close_is_found_by_number_first_and_by_name_second() {
    let both = subject("acme/hello#10", Some(77));
    let by_name = subject("acme/hello#10", None);
    // what is remembered, what is looked up, whether it is found
    let table = [
        (&both, subject("acme/hello#10", Some(77)), true),
        (&both, subject("ACME/Hello#10", None), true),
        (&both, subject("new/name#10", Some(77)), true),
        (&both, subject("new/name#10", None), false),
        (&both, subject("acme/hello#10", Some(78)), false),
        (&both, subject("acme/hello#11", Some(77)), false),
        (&both, subject("acme/hello#1", Some(770)), false),
        (&by_name, subject("acme/hello#10", Some(77)), true),
        (&by_name, subject("acme/hello#10", None), true),
        (&by_name, subject("new/name#10", Some(77)), false),
    ];
    for (closed, looked_up, found) in table {
        let until = remembered(&[(closed, 500)]).late_until(&looked_up);
        assert_eq!(until, found.then(|| at(500)), "{closed:?} {looked_up:?}");
    }
    let elsewhere = Subject::new("other", &"acme/hello#10".parse().unwrap(), Some(77));
    assert_eq!(remembered(&[(&both, 500)]).late_until(&elsewhere), None);
}

#[test]
fn what_is_not_later_than_the_close_is_late() {
    // the event's time, whether it is `reopened`; whether it is late after a close at 500
    let table = [
        (Some(499), false, true),
        (Some(500), false, true),
        (Some(501), false, false),
        (Some(499), true, true),
        (Some(500), true, false),
        (Some(501), true, false),
        (None, false, false),
    ];
    for (time, is_reopening, late) in table {
        let said = is_late(time.map(at), is_reopening, at(500));
        assert_eq!(said, late, "{time:?} {is_reopening}");
    }
    let within: Time = "1970-01-01T00:08:20.7Z".parse().unwrap();
    assert!(is_late(Some(within), false, at(500)), "seconds are whole");
}

#[test]
fn there_is_one_reference_per_pull_request() {
    let pull_request = subject("acme/hello#10", Some(77));
    let other = subject("acme/hello#11", Some(77));
    let memory = remembered(&[(&pull_request, 500), (&other, 500)]);
    let name = |until| pull_request.reference(at(until));
    let old = || vec![(name(500), target())];

    assert!(memory.remember(&pull_request, at(499)).is_empty());
    assert!(memory.remember(&pull_request, at(500)).is_empty());
    let newer = memory.remember(&pull_request, at(501));
    assert_eq!(newer.remember, [name(501)]);
    assert_eq!(newer.forget, old());
    let back = memory.forget(&pull_request);
    assert_eq!((back.remember, back.forget), (Vec::new(), old()));
    let first = Closings::default();
    assert!(first.forget(&pull_request).is_empty());
    assert_eq!(first.remember(&pull_request, at(500)).remember, [name(500)]);
    assert!(first.remember(&pull_request, at(-1)).is_empty());
}

#[test]
fn an_expiry_is_remembered_with_its_commit() {
    let pull_request = subject("acme/hello#10", Some(77));
    let (old, new): (HeadSha, HeadSha) = (
        "a".repeat(40).parse().unwrap(),
        "b".repeat(40).parse().unwrap(),
    );
    let expired = |head: Option<&HeadSha>| {
        let name = Closings::default().expire(&pull_request, at(500), head);
        match memory(name.remember.iter().map(String::as_str)).memory(&pull_request) {
            Some(Memory::Expired(expired)) => expired,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(expired(Some(&old)).until, at(500));
    assert_eq!(expired(Some(&old)).is_of(&old), Some(true));
    assert_eq!(expired(Some(&old)).is_of(&new), Some(false));
    assert_eq!(expired(None).is_of(&old), None);

    let name = pull_request.expired_reference(at(500), Some(&old));
    let memory = memory([name.as_str()]);
    // A close takes its place, a return forgets it, age alone does not.
    let close = memory.remember(&pull_request, at(501));
    assert_eq!(close.forget, [(name.clone(), target())]);
    assert_eq!(memory.forget(&pull_request).forget.len(), 1);
    assert!(memory.expire(&pull_request, at(500), Some(&old)).is_empty());
    let again = memory.expire(&pull_request, at(600), Some(&new));
    assert_eq!((again.remember.len(), again.forget.len()), (1, 1));
    let mut other = memory.remember(&subject("acme/hello#11", None), at(9_000));
    memory.prune(&mut other, at(9_000 + KEPT_SECONDS));
    assert_eq!(other.forget, []);
}

#[test]
fn of_two_memories_the_later_counts() {
    let pull_request = subject("acme/hello#10", Some(77));
    let closed = |until| pull_request.reference(at(until));
    let expired = pull_request.expired_reference(at(500), None);
    for (close, is_closed) in [(499, false), (500, true), (501, true)] {
        let memory = memory([closed(close).as_str(), expired.as_str()]).memory(&pull_request);
        let said = matches!(memory, Some(Memory::Closed(_)));
        assert_eq!(said, is_closed, "{close}");
    }
}

#[test]
fn of_two_closes_the_later_counts() {
    let pull_request = subject("acme/hello#10", Some(77));
    let by_name = subject("acme/hello#10", None);
    let memory = remembered(&[(&pull_request, 500), (&by_name, 700)]);
    assert_eq!(memory.late_until(&pull_request), Some(at(700)));
    assert_eq!(memory.forget(&pull_request).forget.len(), 2);
}

#[test]
fn only_old_closes_are_pruned_and_not_all_at_once() {
    let subjects: Vec<Subject> = (1..=60)
        .map(|number| subject(&format!("acme/hello#{number}"), None))
        .collect();
    let closes: Vec<(&Subject, i64)> = subjects.iter().zip(1_000..).collect();
    let memory = remembered(&closes);
    let new = subject("acme/hello#99", None);
    let pruned = |now: i64| {
        let mut change = memory.remember(&new, at(now));
        memory.prune(&mut change, at(now));
        change.forget
    };
    assert_eq!(pruned(1_000 + KEPT_SECONDS), []);
    assert_eq!(
        pruned(1_001 + KEPT_SECONDS),
        [(subjects[0].reference(at(1_000)), target())]
    );
    let many = pruned(9_000 + KEPT_SECONDS);
    assert_eq!(many.len(), PRUNED_AT_ONCE);
    assert_eq!(many[0].0, subjects[0].reference(at(1_000)));

    let mut nothing = Change::default();
    memory.prune(&mut nothing, at(9_000 + KEPT_SECONDS));
    assert!(nothing.is_empty(), "pruning is no reason for a push");
    // One's own older close is not deleted twice.
    let mut own = memory.remember(&subjects[0], at(9_000 + KEPT_SECONDS));
    memory.prune(&mut own, at(9_000 + KEPT_SECONDS));
    assert_eq!(own.forget.len(), PRUNED_AT_ONCE);
}

#[test]
fn references_of_another_form_are_passed_over() {
    let hash = "0123456789ab";
    let good = format!("{PREFIX}{hash}-{hash}-500");
    for (reference, count) in [
        (good.clone(), 1),
        (format!("{PREFIX}0-{hash}-500"), 1),
        (format!("{good}-1"), 0),
        (format!("{PREFIX}{hash}-0-500"), 0),
        (format!("{PREFIX}{hash}-{hash}-x"), 0),
        (format!("{PREFIX}{hash}-{hash}-99999999999999999"), 0),
        (format!("{PREFIX}{hash}-{hash}"), 0),
        (format!("{EXPIRED_PREFIX}{hash}-{hash}-500-{hash}"), 1),
        (format!("{EXPIRED_PREFIX}0-{hash}-500-0"), 1),
        (format!("{EXPIRED_PREFIX}{hash}-{hash}-500"), 0),
        (format!("{EXPIRED_PREFIX}{hash}-{hash}-500-x"), 0),
        (format!("{EXPIRED_PREFIX}{hash}-{hash}-500-{hash}-0"), 0),
        (format!("{PREFIX}éééééé-{hash}-500"), 0),
        (format!("refs/dayfly/intents/{hash}"), 0),
    ] {
        assert_eq!(memory([reference.as_str()]).0.len(), count, "{reference}");
    }
}

#[test]
fn a_server_that_prohibits_deletions_still_remembers() {
    let change = Change {
        remember: vec!["new".to_owned()],
        forget: vec![("old".to_owned(), target())],
    };
    let attempts = change.attempts(&target());
    assert_eq!(
        attempts.iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 1],
        "{attempts:?}"
    );
    let back = Change {
        remember: Vec::new(),
        ..change
    };
    assert_eq!(back.attempts(&target()).len(), 1);
}

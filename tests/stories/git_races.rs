//! Writers at the same branch: each lands, or is told that it did not.

use std::thread;

use dayfly::git::Push;

use crate::support::{World, Writer, id, tip};

#[test]
fn a_branch_that_stands_elsewhere_is_a_lost_race() {
    let world = World::new();
    let manager = world.repository("manager");
    let first = id(&manager.commit("main", &[("a", "1")]));
    let writer = Writer::new(&world, "cache", &manager.url, None);
    writer.fetch();

    // Made although nobody should have been there before.
    let unrelated = writer.commit(None, "x");
    assert_eq!(writer.push(&unrelated, None).unwrap(), Push::LostRace);
    // Moved by another writer, unknown here.
    let ours = writer.commit(Some(&first), "b");
    let theirs = manager.commit("main", &[("c", "1")]);
    assert_eq!(writer.push(&ours, Some(&first)).unwrap(), Push::LostRace);
    // The same, known here.
    writer.fetch();
    assert_eq!(writer.push(&ours, Some(&first)).unwrap(), Push::LostRace);
    assert_eq!(tip(&manager), Some(id(&theirs)));
    // Deleted: a plain push would bring it back.
    manager.delete_branch("main");
    assert_eq!(writer.push(&ours, Some(&first)).unwrap(), Push::LostRace);
    assert_eq!(tip(&manager), None);
}

#[test]
fn a_branch_that_moves_while_the_pack_arrives_is_a_lost_race() {
    let world = World::new();
    let manager = world.repository("manager");
    let first = id(&manager.commit("main", &[("a", "1")]));
    let theirs = manager.commit("other", &[("b", "1")]);
    let writer = Writer::new(&world, "cache", &manager.url, None);
    writer.fetch();
    // The client has seen the old tip, the server has not yet compared it.
    manager.hook(
        "pre-receive",
        &format!(
            "env -u GIT_QUARANTINE_PATH -u GIT_OBJECT_DIRECTORY \
             -u GIT_ALTERNATE_OBJECT_DIRECTORIES git update-ref refs/heads/main {theirs}"
        ),
    );
    let ours = writer.commit(Some(&first), "c");
    assert_eq!(writer.push(&ours, Some(&first)).unwrap(), Push::LostRace);
    assert_eq!(tip(&manager), Some(id(&theirs)));
}

#[test]
fn two_writers_take_turns_and_lose_nothing() {
    let world = World::new();
    let manager = world.repository("manager");
    let first = Some(id(&manager.commit("main", &[("start", "1")])));
    let writers = ["one", "two"].map(|name| Writer::new(&world, name, &manager.url, None));
    let mut tips = [first.clone(), first];
    for writer in &writers {
        writer.fetch();
    }
    let mut lost = 0;
    for number in 0..50 {
        lost +=
            writers[number % 2].write(&mut tips[number % 2], &format!("d{}/{number}", number % 5));
    }
    // Each finds the branch moved by the other, once.
    assert_eq!(lost, 49);
    assert_eq!(manager.subjects("main").len(), 51);
    assert_eq!(manager.files("main").len(), 51);
    assert_eq!(manager.git(&["rev-list", "--merges", "main"]), "");
    manager.git(&["fsck", "--strict"]);
    assert_eq!(
        world.server.counts().pushes,
        50,
        "a stale tip costs no pack"
    );
}

#[test]
fn writers_at_once_lose_nothing() {
    let world = World::new();
    let manager = world.repository("manager");
    manager.commit("main", &[("start", "1")]);
    thread::scope(|scope| {
        for name in ["one", "two", "three"] {
            let (world, url) = (&world, &manager.url);
            scope.spawn(move || {
                let writer = Writer::new(world, name, url, None);
                let mut tip = writer.fetch();
                for number in 0..4 {
                    writer.write(&mut tip, &format!("{name}-{number}"));
                }
            });
        }
    });
    assert_eq!(manager.files("main").len(), 13);
    assert_eq!(manager.subjects("main").len(), 13);
}

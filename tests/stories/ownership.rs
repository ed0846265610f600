//! One data directory owns a manager repository: another one, and one that has lost its records,
//! would make anew what stands.

use std::fs;

use crate::support::{Output, PullRequest, SERVICE_10, Scene};

fn standing() -> Scene {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene
}

/// `dayfly apply` from another data directory.
fn apply_from(scene: &Scene, directory: &str, more: &[&str]) -> Output {
    let directory = scene.world.path(directory);
    let mut all = vec!["apply", "--data-dir", directory.to_str().unwrap()];
    all.extend(more);
    scene.dayfly(&all)
}

#[test]
fn another_data_directory_is_told_whose_it_is() {
    let scene = standing();
    let page = scene.page(SERVICE_10);
    let refused = apply_from(&scene, "elsewhere", &[]).exited(3).stderr;
    let owner = fs::canonicalize(scene.world.path("data")).unwrap();
    let expected = format!("another data directory: {} on ", owner.display());
    assert!(refused.contains(&expected), "{refused}");
    assert!(refused.contains("--take-over"), "{refused}");

    // A writer is not concerned, and the owner goes on without a word to the server.
    let record = scene.manager.git(&["rev-parse", "refs/dayfly/owner"]);
    let next = PullRequest::service().at(&"b".repeat(40));
    assert_eq!(scene.event("synchronize", &next)["action"], "updated");
    scene.apply().succeeded();
    assert_ne!(scene.page(SERVICE_10), page);
    assert_eq!(
        scene.manager.git(&["rev-parse", "refs/dayfly/owner"]),
        record
    );

    apply_from(&scene, "elsewhere", &["--take-over"]).succeeded();
    let refused = scene.apply().exited(3).stderr;
    assert!(refused.contains("elsewhere"), "{refused}");
    apply_from(&scene, "elsewhere", &[]).succeeded();
}

#[test]
fn moved_data_directory_stays_the_owner() {
    let scene = standing();
    let moved = scene.world.path("moved");
    fs::rename(scene.world.path("data"), &moved).unwrap();
    apply_from(&scene, "moved", &[]).succeeded();
    // The store knows what its file says.
    fs::remove_file(moved.join("id")).unwrap();
    apply_from(&scene, "moved", &[]).succeeded();
}

#[test]
fn owner_without_its_records_makes_nothing_anew() {
    let scene = standing();
    let data = scene.world.path("data");
    let stores = ["dayfly.db", "dayfly.db-wal", "dayfly.db-shm"];
    let stored: Vec<_> = stores
        .iter()
        .map(|name| fs::read(data.join(name)))
        .collect();
    for name in stores {
        let _absent = fs::remove_file(data.join(name));
    }
    for _ in 0..2 {
        let refused = scene.apply().exited(3).stderr;
        assert!(refused.contains("would be made anew"), "{refused}");
        assert!(refused.contains("backup"), "{refused}");
        assert!(scene.stacks().is_empty());
    }
    for name in stores {
        let _absent = fs::remove_file(data.join(name));
    }
    for (name, content) in stores.iter().zip(stored) {
        if let Ok(content) = content {
            fs::write(data.join(name), content).unwrap();
        }
    }
    assert!(Scene::runs_of(&scene.apply().succeeded()).is_empty());
    assert_eq!(scene.stacks().len(), 2);
}

#[test]
fn nothing_is_applied_where_the_owner_cannot_be_recorded() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    let hook = "#!/bin/sh\ncase $1 in refs/dayfly/owner) echo not here; exit 1;; esac\n";
    scene.manager.hook("update", hook);
    let refused = scene.apply().exited(5).stderr;
    assert!(refused.contains("refs/dayfly/owner"), "{refused}");
    assert_eq!(scene.page(SERVICE_10), None);
    scene.manager.hook("update", "#!/bin/sh\n");
    scene.apply().succeeded();
    assert!(scene.page(SERVICE_10).is_some());
}

//! `validate --only-environments`: files that take what is another's, or that nothing can judge.

use crate::ranges::Checkout;

const OTHER: &str = "0123abcd";
const DIRECTORY: &str = "hello-service/environments";

/// The id of the preview that stands.
fn own_id(checkout: &Checkout) -> String {
    let stem = checkout.file.trim_end_matches(".tf");
    stem.rsplit('-').next().unwrap().to_owned()
}

/// Path and text of a new file as a writer would make it.
fn newcomer(checkout: &Checkout, name: &str, number: u64, id: &str) -> (String, String) {
    let label = format!("{name}-{number}-{id}");
    let text = checkout.read(&checkout.file);
    let stem = checkout.file.rsplit('/').next().unwrap();
    let text = text
        .replace(stem.trim_end_matches(".tf"), &label)
        .replace(&own_id(checkout), id)
        .replace("hello-service#1\"", &format!("hello-service#{number}\""));
    (format!("{DIRECTORY}/{label}.tf"), text)
}

fn refused(checkout: &Checkout, files: &[(&str, &str)]) -> Vec<String> {
    for (path, text) in files {
        checkout.write(path, text);
    }
    checkout.commit();
    let found = checkout.trespasses();
    checkout.reset();
    found
}

#[test]
fn what_is_another_files_is_refused() {
    let checkout = Checkout::new();
    let file = checkout.file.clone();
    let id = own_id(&checkout);
    let (path, text) = newcomer(&checkout, "acme-hello-service", 2, OTHER);
    assert_eq!(refused(&checkout, &[(&path, &text)]), [""; 0]);

    // An id, in any letters, here and in another service.
    let (path, text) = newcomer(&checkout, "acme-hello-service", 2, &id);
    let taken = format!("{path}: its id {id} is that of {file}");
    assert_eq!(refused(&checkout, &[(&path, &text)]), [taken]);

    // A pull request, by name in any letters, and by number.
    let (path, text) = newcomer(&checkout, "acme-hello-service", 1, OTHER);
    let taken = format!("{path}: its pull request is that of {file}");
    assert_eq!(
        refused(&checkout, &[(&path, &text)]),
        std::slice::from_ref(&taken)
    );
    let shouted = text.replace("\"acme/hello-service#1\"", "\"ACME/Hello-Service#1\"");
    assert_eq!(refused(&checkout, &[(&path, &shouted)]), [taken]);

    // Two that come together, in one commit and in two.
    let (first, first_text) = newcomer(&checkout, "acme-hello-service", 2, OTHER);
    let (second, second_text) = newcomer(&checkout, "acme-hello-service", 3, OTHER);
    let both = [
        (first.as_str(), first_text.as_str()),
        (&second, &second_text),
    ];
    let found = refused(&checkout, &both);
    assert_eq!(
        found,
        [
            format!("{first}: its id {OTHER} is that of {second}"),
            format!("{second}: its id {OTHER} is that of {first}"),
        ]
    );
    checkout.write(&first, &first_text);
    checkout.commit();
    let found = refused(&checkout, &[(&second, &second_text)]);
    assert_eq!(
        found,
        [format!("{second}: its id {OTHER} is that of {first}")]
    );

    // Names that one disk, or one reader, takes for the same.
    let (path, text) = newcomer(&checkout, "acme-hello-service", 2, OTHER);
    let loud = path.replace("acme-", "ACME-");
    let loud_text = text.replace("module \"acme-", "module \"ACME-");
    let found = refused(&checkout, &[(&path, &text), (&loud, &loud_text)]);
    assert!(
        found.iter().any(|one| one.contains("its name is that of")),
        "{found:?}"
    );
}

/// What is built under an id must not pass to another pull request with all its state.
#[test]
fn id_that_was_given_up_is_not_given_on() {
    let checkout = Checkout::new();
    let file = checkout.file.clone();
    let id = own_id(&checkout);
    let (path, text) = newcomer(&checkout, "acme-hello-service", 2, &id);
    for is_one_commit in [true, false] {
        std::fs::remove_file(checkout.directory.join(&file)).unwrap();
        if !is_one_commit {
            checkout.commit();
        }
        let found = refused(&checkout, &[(&path, &text)]);
        assert_eq!(found, [format!("{path}: its id {id} was that of {file}")]);
    }
    // The pull request itself may have it back.
    let text = checkout.read(&file);
    std::fs::remove_file(checkout.directory.join(&file)).unwrap();
    checkout.commit();
    assert_eq!(refused(&checkout, &[(&file, &text)]), [""; 0]);
}

#[test]
fn both_sides_of_a_merge_count() {
    let checkout = Checkout::new();
    let (first, first_text) = newcomer(&checkout, "acme-hello-service", 2, OTHER);
    let (second, second_text) = newcomer(&checkout, "acme-hello-service", 3, OTHER);
    checkout.git(&["checkout", "--quiet", "-b", "side"]);
    checkout.write(&first, &first_text);
    checkout.commit();
    checkout.git(&["checkout", "--quiet", "-b", "other", "base"]);
    checkout.write(&second, &second_text);
    checkout.commit();
    assert_eq!(checkout.trespasses(), [""; 0]);
    checkout.git(&["merge", "--quiet", "--no-edit", "side"]);
    assert_eq!(checkout.trespasses().len(), 2);
}

#[test]
fn standing_environment_stays_whose_and_what_it_is() {
    let checkout = Checkout::new();
    let (file, text) = (checkout.file.clone(), checkout.read(&checkout.file));
    let id = own_id(&checkout);
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let environment = format!("= \"{id}\"");
    for (changed, reason) in [
        (
            with(&environment, "= \"0123abcd\""),
            format!("its id was {id}, which an environment keeps for life"),
        ),
        (
            with("hello-service#1\"", "hello-service#2\""),
            "it was the environment of acme/hello-service#1".to_owned(),
        ),
        (
            with("hello-service#1\"", "secret-service#1\""),
            "it was the environment of acme/hello-service#1".to_owned(),
        ),
    ] {
        let found = refused(&checkout, &[(&file, &changed)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(&reason), "{found:?}");
    }
    // A number that becomes known is news, one that changes is another repository.
    let known = with("  service ", "  repository_id = 77\n  service ");
    assert_eq!(refused(&checkout, &[(&file, &known)]), [""; 0]);
    checkout.write(&file, &known);
    checkout.commit();
    checkout.git(&["branch", "--force", "base"]);
    let other = known.replace("= 77", "= 78");
    let found = refused(&checkout, &[(&file, &other)]);
    assert_eq!(
        found,
        [format!(
            "{file}: it was the environment of acme/hello-service#1"
        )]
    );

    // The same pull request by its repository's number, under a name that it had before.
    let rules = checkout.read("hello-service/service.hcl");
    let rules = rules.replace(
        "source \"acme/hello-service\" {",
        "source \"acme/hello-service\" {\n  former_names = [\"acme/old-service\"]",
    );
    checkout.write("hello-service/service.hcl", &rules);
    checkout.commit();
    checkout.git(&["branch", "--force", "base"]);
    let (path, text) = newcomer(&checkout, "acme-old-service", 1, OTHER);
    let text = text.replace("acme/hello-service#1", "acme/old-service#1");
    let found = refused(&checkout, &[(&path, &text)]);
    assert_eq!(
        found,
        [format!("{path}: its pull request is that of {file}")]
    );
}

#[test]
fn new_file_is_named_after_what_it_is() {
    let checkout = Checkout::new();
    let (path, text) = newcomer(&checkout, "acme-hello-service", 2, OTHER);
    for (changed, named) in [
        (
            text.replace("service#2\"", "service#3\""),
            "acme-hello-service-3-0123abcd",
        ),
        (
            text.replace("= \"0123abcd\"", "= \"0123abce\""),
            "acme-hello-service-2-0123abce",
        ),
    ] {
        assert_ne!(changed, text);
        let reason =
            format!("{path}: it must be named {named}.tf, after its pull request and its id");
        assert_eq!(refused(&checkout, &[(&path, &changed)]), [reason]);
    }
}

#[test]
fn without_a_template_nothing_new_comes() {
    let bare = format!("module \"acme-hello-service-2-{OTHER}\" {{\n}}\n");
    for (broken, words) in [
        (None, "has no environment.tf.tera"),
        (Some("module \"x\" {"), "environment.tf.tera"),
    ] {
        let checkout = Checkout::new();
        let template = "hello-service/environment.tf.tera";
        match broken {
            Some(text) => checkout.write(template, text),
            None => std::fs::remove_file(checkout.directory.join(template)).unwrap(),
        }
        checkout.commit();
        checkout.git(&["branch", "--force", "base"]);
        let (path, text) = newcomer(&checkout, "acme-hello-service", 2, OTHER);
        for text in [&bare, &text] {
            let found = refused(&checkout, &[(&path, text)]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].contains("nothing can be judged by BASE"),
                "{found:?}"
            );
            assert!(found[0].contains(words), "{found:?}");
        }
        // Nor is a standing one changed; but an end needs no template.
        let file = checkout.file.clone();
        let changed = checkout
            .read(&file)
            .replace("\n  service  ", "\n\n  service  ");
        assert_eq!(refused(&checkout, &[(&file, &(changed + "\n"))]).len(), 1);
        std::fs::remove_file(checkout.directory.join(&file)).unwrap();
        checkout.commit();
        assert_eq!(checkout.trespasses(), [""; 0]);
    }
}

#[test]
fn empty_range_is_no_trespass() {
    let checkout = Checkout::new();
    for range in ["base..base", "HEAD..HEAD", "base...base"] {
        let told = checkout.check(range).succeeded().json();
        assert_eq!(
            (&told["commits"], &told["valid"]),
            (&0.into(), &true.into())
        );
    }
}

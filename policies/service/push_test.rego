package spacelift

import rego.v1

push_to(branch, files) := {
	"push": {"branch": branch, "tag": "", "affected_files": files},
	"pull_request": null,
	"stack": {"branch": "main", "project_root": null, "additional_project_globs": []},
}

in_root(root, globs, files) := object.union(
	push_to("main", files),
	{"stack": {"branch": "main", "project_root": root, "additional_project_globs": globs}},
)

tracks(event) if {
	track with input as event
	not ignore with input as event
}

ignores(event) if {
	ignore with input as event
	not track with input as event
}

test_push_to_the_own_branch if tracks(push_to("main", ["main.tf"]))

test_push_to_another_branch if {
	ignores(push_to("main2", ["main.tf"]))
	ignores(push_to("feature/main", ["main.tf"]))
}

test_push_that_touches_nothing if ignores(push_to("main", []))

test_project_root if {
	every root in ["common", "common/", "/common/"] {
		tracks(in_root(root, [], ["README.md", "common/main.tf"]))
		ignores(in_root(root, [], ["main.tf", "commons/main.tf", "x/common/main.tf"]))
	}
}

test_root_of_the_repository if {
	every root in ["", "/", null] {
		tracks(in_root(root, [], ["modules/x/main.tf"]))
	}
}

test_project_globs if {
	tracks(in_root("common", ["modules/**"], ["modules/x/main.tf"]))
	tracks(in_root("common", ["*.tfvars"], ["common.tfvars"]))
	ignores(in_root("common", ["*.tfvars"], ["modules/x.tfvars"]))
	ignores(in_root("common", ["modules/*"], ["main.tf"]))
}

test_events_of_pull_requests if {
	ignores(object.union(push_to("main", ["main.tf"]), {"pull_request": {"id": 7, "action": "opened"}}))
}

test_tags if ignores(json.patch(push_to("main", ["main.tf"]), [{"op": "replace", "path": "/push/tag", "value": "v1"}]))

test_fields_that_are_missing if {
	tracks(object.remove(push_to("main", ["main.tf"]), ["pull_request"]))
	tracks(json.remove(push_to("main", ["main.tf"]), ["push/tag", "stack/project_root", "stack/additional_project_globs"]))
}

in_progress(id, type, state, branch) := {
	"id": id,
	"type": type,
	"state": state,
	"branch": branch,
	"commit": {"hash": "older"},
}

test_older_runs_give_way if {
	runs := [
		in_progress("1", "TRACKED", "QUEUED", "main"),
		in_progress("2", "TRACKED", "UNCONFIRMED", "main"),
		in_progress("3", "TRACKED", "APPLYING", "main"),
		in_progress("4", "TRACKED", "QUEUED", "other"),
		in_progress("5", "PROPOSED", "QUEUED", "main"),
	]
	event := object.union(push_to("main", ["main.tf"]), {"in_progress": runs, "push": {"hash": "newer"}})
	cancelled := cancel with input as event
	cancelled == {"1", "2"}
}

test_own_run_stays if {
	runs := [in_progress("1", "TRACKED", "QUEUED", "main")]
	event := object.union(push_to("main", ["main.tf"]), {"in_progress": runs, "push": {"hash": "older"}})
	cancelled := cancel with input as event
	cancelled == set()
}

test_ignored_push_cancels_nothing if {
	runs := [in_progress("1", "TRACKED", "QUEUED", "main")]
	event := object.union(push_to("main", []), {"in_progress": runs, "push": {"hash": "newer"}})
	cancelled := cancel with input as event
	cancelled == set()
}

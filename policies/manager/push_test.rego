package spacelift

import rego.v1

push_by(author, branch, files) := {
	"push": {"author": author, "branch": branch, "tag": "", "affected_files": files},
	"pull_request": null,
	"stack": {"branch": "main"},
}

an_environment := "hello-service/environments/acme-hello-service-10-ca6d5eab.tf"

is_tracked(event) if {
	track with input as event
	not ignore with input as event
	not fail with input as event
}

is_failed(event) if {
	fail with input as event
	ignore with input as event
	not track with input as event
}

test_writer_writes_environments if is_tracked(push_by("dayfly[bot]", "main", [an_environment]))

test_writer_touches_anything_else if {
	every file in [
		"main.tf",
		"policies/push.rego",
		"hello-service/main.tf",
		"hello-service/template/main.tf",
		"hello-service/environments/variables.tf",
		"hello-service/environments/x/y.tf",
		"hello-service/environments/x.tfvars",
		"environments/x.tf",
		".github/workflows/apply.yml",
	] {
		is_failed(push_by("dayfly[bot]", "main", [an_environment, file]))
		is_failed(push_by("Dayfly", "main", [file]))
	}
}

test_person_touches_anything if is_tracked(push_by("ann", "main", ["main.tf", "policies/push.rego"]))

test_message_names_the_file if {
	messages := message with input as push_by("dayfly", "main", ["main.tf"])
	messages == {"main.tf is no environment file, and dayfly may write nothing else"}
}

test_other_branches_and_events if {
	event := push_by("ann", "feature", ["main.tf"])
	ignore with input as event
	not fail with input as event
	proposal := object.union(push_by("ann", "main", ["main.tf"]), {"pull_request": {"id": 7}})
	ignore with input as proposal
}

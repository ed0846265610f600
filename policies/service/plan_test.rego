package spacelift

import rego.v1

denied(labels, type, actions) := messages if {
	messages := deny with input as {
		"spacelift": {"stack": {"labels": labels}},
		"terraform": {"resource_changes": [{
			"address": sprintf("%s.x", [type]),
			"type": type,
			"change": {"actions": actions},
		}]},
	}
}

test_own_resources if {
	every actions in [["create"], ["update"], ["delete"], ["delete", "create"], ["no-op"]] {
		denied(["preview"], "aws_instance", actions) == set()
	}
}

test_resources_of_all if {
	every type in ["spacelift_stack", "spacelift_policy", "github_repository", "aws_route53_zone", "aws_iam_user"] {
		every actions in [["create"], ["update"], ["delete"], ["create", "delete"]] {
			count(denied(["x", "preview"], type, actions)) == 1
		}
	}
}

test_reading_is_fine if {
	every actions in [["read"], ["no-op"]] {
		denied(["preview"], "aws_route53_zone", actions) == set()
	}
}

test_common_stack_may if denied(["hello-service"], "aws_route53_zone", ["create"]) == set()

test_forgetting if count(denied(["preview"], "aws_instance", ["forget"])) == 1

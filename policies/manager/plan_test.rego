package spacelift

import rego.v1

planned(author, resources) := messages if {
	messages := deny with input as {
		"spacelift": {"commit": {"author": author}},
		"terraform": {"resource_changes": resources},
	}
}

a_resource(module_address, type, actions) := {
	"address": sprintf("%v.%s.x", [module_address, type]),
	"module_address": module_address,
	"type": type,
	"change": {"actions": actions},
}

environment := "module.hello-service.module.environments.module.acme-hello-service-10-ca6d5eab"

test_environment_of_the_writers if {
	every type in ["spacelift_stack", "spacelift_environment_variable", "spacelift_policy_attachment", "spacelift_stack_destructor"] {
		every actions in [["create"], ["update"], ["delete", "create"], ["delete"]] {
			planned("dayfly[bot]", [a_resource(environment, type, actions)]) == set()
		}
	}
}

test_writer_changes_the_manager if {
	every module_address in [null, "module.hello-service", "module.hello-service.module.environments", "module.x.module.environments-2.module.y"] {
		every actions in [["create"], ["update"], ["delete"]] {
			count(planned("dayfly", [a_resource(module_address, "spacelift_policy_attachment", actions)])) == 1
		}
		planned("dayfly", [a_resource(module_address, "spacelift_policy_attachment", ["no-op"])]) == set()
		planned("ann", [a_resource(module_address, "spacelift_policy_attachment", ["create"])]) == set()
	}
}

test_writer_changes_a_policy_anywhere if {
	count(planned("dayfly", [a_resource(environment, "spacelift_policy", ["create"])])) == 1
}

test_other_types_are_nobodys if {
	every type in ["spacelift_role_attachment", "spacelift_aws_integration", "spacelift_space", "aws_iam_role", "null_resource"] {
		every author in ["ann", "dayfly"] {
			count(planned(author, [a_resource(environment, type, ["create"])])) == 1
		}
	}
}

test_current_stack_is_read if {
	planned("dayfly", [a_resource(null, "spacelift_current_stack", ["read"])]) == set()
}

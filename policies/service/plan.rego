# What a preview may not touch: it is made from any pull request's branch, and goes without a review.
# Names and values arrive sanitised, so the types and the actions decide.
package spacelift

import rego.v1

deny contains sprintf("%s: a preview has no business with %s", [resource.address, resource.type]) if {
	is_preview
	some resource in input.terraform.resource_changes
	changes(resource)
	belongs_to_all(resource.type)
}

# Nobody would know any more what the preview has left behind.
deny contains sprintf("%s: a preview forgets nothing that it does not destroy", [resource.address]) if {
	is_preview
	some resource in input.terraform.resource_changes
	"forget" in resource.change.actions
}

is_preview if "preview" in input.spacelift.stack.labels

changes(resource) if {
	some action in resource.change.actions
	not action in {"no-op", "read"}
}

# Stacks, policies and repositories decide over other previews too.
belongs_to_all(type) if {
	some prefix in ["spacelift_", "github_", "gitlab_"]
	startswith(type, prefix)
}

# Add what your account has once.
belongs_to_all(type) if type in {
	"aws_account_alternate_contact",
	"aws_ecr_repository",
	"aws_iam_account_alias",
	"aws_iam_account_password_policy",
	"aws_iam_group",
	"aws_iam_openid_connect_provider",
	"aws_iam_user",
	"aws_kms_key",
	"aws_organizations_account",
	"aws_organizations_policy",
	"aws_route53_zone",
	"aws_vpc",
	"azurerm_management_lock",
	"azurerm_resource_provider_registration",
	"google_dns_managed_zone",
	"google_organization_iam_member",
	"google_project",
	"google_project_iam_policy",
}

module "acme-hello-service-10-ca6d5eab" {
  source = "../template"

  environment             = "ca6d5eab"
  code_version            = "68a0e427aba817ba6f79a76f71c0f0ad710735db"
  infra_repository_branch = "main"
  fork                    = false
  pull_request            = "acme/hello-service#10"
  repository_id           = 123456
  event_at                = "2026-11-21T09:00:00Z"

  service = var.service
}

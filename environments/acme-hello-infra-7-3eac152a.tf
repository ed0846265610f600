module "acme-hello-infra-7-3eac152a" {
  source = "../template"

  environment             = "3eac152a"
  code_version            = "latest"
  infra_repository_branch = "feature/warm-cache"
  fork                    = false
  pull_request            = "acme/hello-infra#7"
  repository_id           = 123457
  event_at                = "2026-11-21T10:30:00Z"

  service = var.service
}

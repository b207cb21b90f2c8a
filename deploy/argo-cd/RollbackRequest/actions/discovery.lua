-- Offers what would have an effect now. Each action asks the same once more: Argo CD does not look here before it runs one.
local annotations = obj.metadata.annotations or {}
local status = obj.status or {}
local phase = status.phase

local running = {
  Pending = true,
  Planning = true,
  AwaitingApproval = true,
  Applying = true,
  Verifying = true,
}
local actions = {}

if phase == "AwaitingApproval" then
  -- Set in front of this script by with-approval/argocd-cm.yaml only.
  if APPROVAL and status.plan ~= nil then
    actions["approve"] = {
      displayName = "Approve plan " .. status.plan.digest,
      iconClass = "fa fa-fw fa-check",
      params = { { name = "plan" } },
    }
  end
  actions["deny"] = { displayName = "Deny", iconClass = "fa fa-fw fa-ban" }
end
if (phase == nil or running[phase]) and annotations["rollback.llm-research-lab.io/abort"] ~= "true" then
  actions["abort"] = { displayName = "Abort", iconClass = "fa fa-fw fa-stop" }
end
for _, hold in ipairs(status.holds or {}) do
  if
    phase ~= nil
    and not running[phase]
    and hold.state == "Held"
    and annotations["rollback.llm-research-lab.io/release"] ~= "true"
  then
    actions["release"] = { displayName = "Release the GitOps hold", iconClass = "fa fa-fw fa-unlock" }
  end
end
return actions

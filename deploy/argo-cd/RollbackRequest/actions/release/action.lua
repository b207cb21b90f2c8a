-- Ends the hold of the GitOps tool, as `kubectl-rollback release` does: from then on Git decides again.
local held = false
for _, hold in ipairs((obj.status or {}).holds or {}) do
  if hold.state == "Held" then
    held = true
  end
end
if not held then
  error("nothing to release: the request holds no GitOps tool", 0)
end
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["rollback.llm-research-lab.io/release"] = "true"
return obj

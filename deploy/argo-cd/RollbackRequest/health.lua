-- A RollbackRequest is one attempt: once it has ended, its health does not change any more.
local function condition(name)
  if obj.status == nil or obj.status.conditions == nil then
    return nil
  end
  for _, each in ipairs(obj.status.conditions) do
    if each.type == name then
      return each
    end
  end
  return nil
end

-- Whether anything may have been changed before it was aborted.
local function acted()
  for _, step in ipairs(obj.status.steps or {}) do
    if step.state ~= "Pending" and step.state ~= "Skipped" then
      return true
    end
  end
  return false
end

local ready = condition("Ready")
-- status.observedGeneration stays behind until the end (kstatus): while it runs, its conditions say what they speak of.
if ready == nil or ready.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "waits for the rollback operator" }
end

local health = {
  Pending = "Progressing",
  Planning = "Progressing",
  AwaitingApproval = "Suspended",
  Applying = "Progressing",
  Verifying = "Progressing",
  Succeeded = "Healthy",
  Failed = "Degraded",
  -- What was changed is undone, and the reason for the request is still there.
  Compensated = "Degraded",
  -- Nothing was changed, and somebody or something has decided so: no reason to keep the Application red for ever.
  Superseded = "Healthy",
  Denied = "Healthy",
  Expired = "Healthy",
  Aborted = "Healthy",
}
local status = health[obj.status.phase] or "Unknown"
local message = ready.message
if obj.status.phase == "Aborted" and acted() then
  status = "Degraded"
end
local persisted = condition("Persisted")
if status == "Healthy" and persisted ~= nil and persisted.status == "False" then
  message = message .. "; Git does not agree yet: " .. persisted.message
end
return { status = status, message = message }

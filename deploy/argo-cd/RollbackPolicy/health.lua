-- A RollbackPolicy is healthy while it does its work, also when that shows that its workload is not: the workload has a
-- health of its own, and a policy that turned red or went on "progressing" with it would hold back the sync of the fix.
local conditions = {}
for _, each in ipairs((obj.status or {}).conditions or {}) do
  conditions[each.type] = each
end
local ready = conditions.Ready
-- status.observedGeneration stays behind while it cannot evaluate (kstatus): its conditions say what they speak of.
if ready == nil or ready.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "waits for the rollback operator" }
end
if ready.reason == "Suspended" then
  return { status = "Suspended", message = ready.message }
end
if ready.status ~= "True" then
  return { status = "Degraded", message = ready.message }
end

local message = ready.message
if conditions.Breached ~= nil and conditions.Breached.status == "True" then
  message = conditions.Breached.message .. "; " .. message
end
local rollback = conditions.RollbackReady
if rollback ~= nil and rollback.status == "False" then
  message = message .. "; a rollback would not work now: " .. rollback.message
  -- Nobody but a person gives it rights. All else comes and goes, such as a first release with nothing before it.
  if rollback.reason == "AccessDenied" then
    return { status = "Degraded", message = message }
  end
end
return { status = "Healthy", message = message }

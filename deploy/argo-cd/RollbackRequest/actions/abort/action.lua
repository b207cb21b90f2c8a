-- Stops before the next write; what was changed stays.
local final = {
  Succeeded = true,
  Failed = true,
  Compensated = true,
  Superseded = true,
  Denied = true,
  Expired = true,
  Aborted = true,
}
if obj.status ~= nil and final[obj.status.phase] then
  error("nothing to abort: the request has ended " .. obj.status.phase, 0)
end
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["rollback.llm-research-lab.io/abort"] = "true"
return obj

-- No `denied-by`: Argo CD acts with an account of its own, and does not tell for whom. Its own log and events do.
local status = obj.status or {}
if status.phase ~= "AwaitingApproval" then
  error("nothing to deny: the request does not wait for an approval; abort stops one that runs", 0)
end
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["rollback.llm-research-lab.io/deny"] = "denied in Argo CD"
return obj

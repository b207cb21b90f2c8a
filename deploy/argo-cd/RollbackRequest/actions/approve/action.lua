-- An approval is of one plan: whoever approves names the one they have read (parameter `plan`), so that another plan,
-- made since, is not approved unseen. The name is that of the account with which Argo CD writes to this cluster; who
-- it acted for, only Argo CD knows. ACCOUNT is set in front of this script.
local status = obj.status or {}
if status.phase ~= "AwaitingApproval" or status.plan == nil then
  error("nothing to approve: the request does not wait for an approval", 0)
end
local plan = (actionParams or {})["plan"]
if plan == nil or plan == "" then
  error("name the plan that you have read: parameter plan, now " .. status.plan.digest, 0)
end
if plan ~= status.plan.digest then
  error("the plan is " .. status.plan.digest .. " now, not " .. plan .. ": read it, and approve that one", 0)
end
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["rollback.llm-research-lab.io/approve"] = plan
obj.metadata.annotations["rollback.llm-research-lab.io/approved-by"] = ACCOUNT
return obj

local actions = {}
if obj.spec.suspend then
  actions["resume"] = { displayName = "Resume", iconClass = "fa fa-fw fa-play" }
else
  actions["suspend"] = { displayName = "Suspend", iconClass = "fa fa-fw fa-pause" }
end
return actions

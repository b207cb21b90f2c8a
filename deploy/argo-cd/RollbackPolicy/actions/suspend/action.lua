-- Nothing is evaluated and nothing is done until it is resumed. Self-heal undoes this where Git sets `suspend`.
obj.spec.suspend = true
return obj

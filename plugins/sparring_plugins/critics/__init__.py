"""Critics that attackers learn of a victim by watching it: action values `Q(s, a)` of a policy that stays as it is."""

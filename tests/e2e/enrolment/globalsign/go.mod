// The EST server of GlobalSign, which the tests of enrolment use as an independent judge.
module gatepost.example/globalsign

go 1.19

require github.com/globalsign/est v1.0.6
